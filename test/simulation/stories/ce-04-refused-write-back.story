# Counterexample 4: a read that has not proven its value chosen must not show it.
# 1 is on A alone when B finds it there, and written back as it is B and C would refuse it: they have promised C's ballot.
nodes A B C
breaks no-identity-round -> not-linearizable

drop accept A > BC
put: A puts 1
wait for accepted A > A
drop prepare C > A
C puts 7 if 9               -> condition failed, is nothing
kill A
put -> no answer
start A
cut C B
B reads                     -> 1
heal
cut A
C reads                     -> 1
