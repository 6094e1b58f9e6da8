# A stored record rots: the others answer, and restore it, without anybody being told.
nodes A B C
limit statesKept 0

A puts 1                    -> applied
wait 10 ms
rot A
A reads                     -> 1
A reads eventually          -> 1
wait 50 ms
A reads its own             -> 1
rot B
A puts 2                    -> applied, was 1
wait 50 ms
all hold 2
