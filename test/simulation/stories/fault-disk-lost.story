# Disk lost: without a row no vote, N-1 until an epoch names the new disk.
nodes A B C
background on

A puts 1                    -> applied
wipe C
start C
C has no vote
A puts 2                    -> applied, was 1
C reads                     -> 2
wait 200 ms
A leads to ABC              -> changed
all are in epoch 1
wait 500 ms
all hold 2
roots agree
kill A
C reads                     -> 2
