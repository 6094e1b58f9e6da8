# Message lost: what was lost is asked for again, and the operation takes place once.
nodes A B C
limit suspectAfterMs 1000

drop next prepare A > B
drop next promise C > A
A puts 1                    -> applied, was nothing
drop next accept A > B
drop next accepted C > A
A puts 2                    -> applied, was 1
drop next learn A > B
A puts 3                    -> applied, was 2
B reads                     -> 3
wait 10 ms
all hold 3
