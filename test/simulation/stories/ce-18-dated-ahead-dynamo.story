# Counterexample 18: the ceiling bounds promises, not ballots: what a node writes after its start is not dated ahead of
# what others write then.
# B has promised, so its ceiling is ahead of the clock. It writes 2 right after a restart; A, which was down, does not hear of it.
nodes A B C
mode dynamo
limit ceilingAheadMs 2000
breaks ballots-begin-at-ceiling -> lost-write

A puts 1 if absent          -> applied
wait 10 ms
kill B
start B
kill A
B puts 2                    -> applied
start A
A puts 3                    -> applied
B reads                     -> 3
