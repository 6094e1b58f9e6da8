# Node added, and the one that leads the change dies: the partition is sealed, and another one begins again.
nodes A B C
spares D

A puts 1                    -> applied
hold staged all > A
change: A leads to ABD
wait for staged B > A
kill A
change -> no answer
B is sealed
B reads                     -> unavailable
B reads eventually          -> 1
B leads to ABD              -> changed
start A
B reads                     -> 1
BD are in epoch 1
C has no vote
