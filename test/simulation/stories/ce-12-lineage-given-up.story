# Counterexample 12, lineage pruned: who is older than what others remember gives up, and says so.
# B replaces A's 1 and drops its id. A cannot know any more whether it took place, and does not try again.
nodes A B C
limit suspectAfterMs 1000
limit lineageWindowMs 100

drop accept A > BC
put: A puts 1
wait for accepted A > A
wait 120 ms
cut B C
B puts 2                    -> applied, was 1
B puts 3                    -> applied, was 2
heal
put -> unknown
B reads                     -> 3
