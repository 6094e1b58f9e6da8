# Counterexample 12, naive member swap: new members begin with all that old ones may have chosen.
# 1 is accepted by A and B. The next epoch is B, C, D; C and D have never met 1, and are a majority of it.
nodes A B C
spares D
breaks staged-nothing -> not-linearizable
read-repair off

cut A C
drop learn A > AB
put: A puts 1
wait for learn A > B
B reads                     -> 1
kill A
put -> no answer
B leads to BCD              -> changed
cut B
C reads                     -> 1
