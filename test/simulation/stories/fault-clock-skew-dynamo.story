# Section 7, clock skew, dynamo mode: the last write wins by the clocks of its coordinators, so B's newer 2 is lost.
nodes A B C
mode dynamo

clock A +400 ms
A puts 1                    -> applied
wait 10 ms
B puts 2                    -> applied
wait 10 ms
all hold 1
B reads                     -> 1
wait 400 ms
B puts 3                    -> applied
B reads                     -> 3
