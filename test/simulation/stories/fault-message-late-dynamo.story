# Messages late, dynamo mode: a late write loses to a newer one, wherever it arrives.
nodes A B C
mode dynamo
W 1

hold learn A > BC
A puts 1                    -> applied
B puts 2                    -> applied
wait 5 ms
all hold 2
release learn A > BC
wait 5 ms
all hold 2
drop learn B > all
B puts 3                    -> applied
A reads eventually          -> 2
heal
A reads                     -> 3
wait 5 ms
all hold 3
