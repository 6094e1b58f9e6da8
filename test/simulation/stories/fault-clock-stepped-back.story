# Clock stepped back and restart: the boot number keeps ballots apart, and refusals push the clock forward.
nodes A B C

A puts 1                    -> applied
kill A
clock A -500 ms
start A
A puts 2 if 1               -> applied, was 1
A reads                     -> 2
kill A
start A
cut B
A puts 3 if 2               -> applied, was 2
heal
B reads                     -> 3
