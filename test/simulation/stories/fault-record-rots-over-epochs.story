# I8 and a disk that rots: what a member cannot read may be missing at the others, so it is no source of the next epoch.
nodes A B C
limit statesKept 0

A puts 1                    -> applied
wait 10 ms
cut C
A puts 2                    -> applied, was 1
wait 10 ms
heal
cut B
rot A
C reads                     -> unavailable
C leads to ABC              -> failed
heal
C leads to ABC              -> changed
C reads                     -> 2
wait 300 ms
all hold 2
all are in epoch 1
