# Counterexample 19: a conditional write in dynamo mode waits for a ceiling that is ahead of the clock: above it, it would
# win over later writes.
# B and C refuse what they may have promised before they were killed; A does not hear of 2.
nodes A B C
mode dynamo
limit ceilingAheadMs 200
breaks ballots-above-ceilings -> lost-write

A puts 1 if absent          -> applied
wait 10 ms
kill BC
start BC
kill A
B puts 2 if 1               -> applied
start A
A puts 3                    -> applied
B reads                     -> 3
