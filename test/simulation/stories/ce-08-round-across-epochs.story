# Counterexample 8: both phases of a round belong to one epoch.
# C prepares in epoch 0 and sends its accept when A, B, D are already in epoch 1; C itself has not heard of that.
nodes A B C
spares D
breaks epochs-ignored -> not-linearizable

A puts 1                    -> applied
drop seal A > C
drop activate A > C
drop accept C > A
hold accept C > BC
put: C puts 2
wait for accept C > B
A leads to ABD              -> changed
C is in epoch 0
drop next learn C > A
release accept C > BC
put -> applied, was 1
cut A B
A reads                     -> 2
