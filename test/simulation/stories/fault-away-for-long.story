# Away for longer than hints and tombstones live: repair brings the node back, and what was deleted stays deleted.
nodes A B C
spares D
background on

A puts 1                    -> applied
wait 10 ms
kill C
A deletes                   -> applied, was 1
wait 5000 ms
AB hold tombstone
start C
C reads                     -> nothing
wait 5000 ms
all hold nothing
roots agree
C reads eventually          -> nothing
