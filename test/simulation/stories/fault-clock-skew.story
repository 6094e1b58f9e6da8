# Clock skew, strict: it costs a round, not the order. A's clock is ahead when it writes, B's is not.
nodes A B C

clock A +400 ms
A puts 1                    -> applied, was nothing
B puts 2                    -> applied, was 1
C puts 3 if 2               -> applied, was 2
A reads                     -> 3
B deletes if 3              -> applied, was 3
A reads                     -> nothing
