# Minority down, W=3: the write is chosen and waits for its third copy in vain; its outcome is unknown.
nodes A B C
W 3

kill C
A puts 1                    -> unknown
B reads                     -> 1
A puts 2                    -> unknown
start C
A puts 3 if 2               -> applied, was 2
all hold 3
