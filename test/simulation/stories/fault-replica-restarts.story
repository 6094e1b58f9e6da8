# Replica restarts: it has on disk what it accepted, and what it learned it is told again.
# 1 is chosen by A and B alone; B dies and comes back, and then A is gone.
nodes A B C
breaks acknowledged-before-flush -> not-linearizable

cut A C
A puts 1                    -> applied
kill B
start B
B has accepted 1
B holds nothing
cut A
C reads                     -> 1
BC hold 1
heal
B puts 2                    -> applied, was 1
