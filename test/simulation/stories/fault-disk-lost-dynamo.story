# A disk lost, dynamo mode, W=1: what only that disk had is lost, though it was answered; the rest is not.
nodes A B C
mode dynamo
W 1
R 1

A puts 1                    -> applied
wait 10 ms
cut C
C puts 2                    -> applied
wipe C
start C
heal
wait 10 ms
A leads to ABC              -> changed
C reads                     -> 1
wait 100 ms
all hold 1
