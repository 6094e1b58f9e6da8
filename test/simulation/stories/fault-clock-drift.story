# Clock skew above the bound: ballots too far ahead are refused, and the others go on.
nodes A B C
limit maxDriftMs 100

B puts 1                    -> applied
clock A +500 ms
A puts 2                    -> unavailable
B puts 3                    -> applied, was 1
A reads                     -> 3
clock A -500 ms
wait 600 ms
A puts 4                    -> applied, was 3
