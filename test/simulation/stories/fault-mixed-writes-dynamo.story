# Dynamo mode: a plain put and a conditional one do not see each other, and one of them is lost.
nodes A B C
mode dynamo
W 1

A puts 1                    -> applied
wait 10 ms
hold learn A > BC
A puts 2                    -> applied
cut A
B puts 3 if 2               -> condition failed
B puts 3 if 1               -> applied
heal
A reads                     -> 3
wait 10 ms
all hold 3
