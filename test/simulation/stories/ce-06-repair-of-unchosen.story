# Counterexample 6: replicas tell each other of chosen records only.
# 1 is on A alone. If A told B of it, B would show it, behind the back of C, which has already read that nothing is there.
nodes A B C
breaks repair-of-unchosen -> not-linearizable

drop accept A > BC
put: A puts 1
wait for accepted A > A
cut A C
hold accept C > BC
two: C puts 2 if absent
wait for accept C > B
A tells B
wait 5 ms
kill A
put -> no answer
B holds nothing
B reads                     -> nothing
release accept C > BC
two -> applied, was nothing
C reads                     -> 2
