# Counterexample 14: what a disk forgot is not restored from just anybody. C's 1 was chosen, and is not the newest.
nodes A B C
limit statesKept 0
breaks restored-from-anybody -> not-linearizable

A puts 1                    -> applied
wait 10 ms
all hold 1
cut C
A puts 2                    -> applied, was 1
wait 10 ms
heal
cut B
rot A
C reads                     -> unavailable
wait 300 ms
C reads                     -> unavailable
C tells A
C reads                     -> unavailable
heal
wait 300 ms
C reads                     -> 2
all hold 2
