# Clock skew, dynamo mode: the last write wins by the clocks of its coordinators, so B's newer 2 is lost.
# Had B heard of 1, its 2 would have won: a node's ballots follow the records that come to it.
nodes A B C
mode dynamo

clock A +400 ms
drop learn A > B
A puts 1                    -> applied
wait 10 ms
B puts 2                    -> applied
wait 10 ms
AC hold 1
B holds 2
release learn A > B
B repairs                   -> done
all hold 1
B puts 3                    -> applied
B reads                     -> 3
