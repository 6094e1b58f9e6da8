# Counterexample 13: a replica that cannot read a record has no vote about its key. "Nothing" would make a majority with C's 1.
nodes A B C
limit statesKept 0
breaks damaged-counts-as-absent -> not-linearizable

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
heal
C reads                     -> 2
wait 300 ms
all hold 2
