# Counterexample 17: a row never goes back: a late "activate" gives a node that has left no vote in the epoch in which it
# was sealed.
# B was cut off and has heard of nothing. With C, voting again in epoch 1, it would be a majority that no member of epoch 2 meets.
nodes A B C
spares D E
breaks late-activate-counts -> invariant

A puts 1                    -> applied
hold next activate A > C
A leads to ABC              -> changed
all are in epoch 1
cut B
A leads to ADE              -> changed
C has no vote
kill C
start C
release activate A > C
wait 10 ms
C has no vote
heal
cut B ADE
B puts 2                    -> unavailable
heal
D reads                     -> 1
