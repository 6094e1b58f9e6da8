# Counterexample 12, volatile promises: a replica that was restarted refuses what it may have promised to refuse.
# B promised C's ballot and dies. After that A's older accept must not be taken: C has read that nothing is there.
nodes A B C
breaks volatile-promises -> not-linearizable

hold accept A > BC
one: A puts 1 if absent
wait for accepted A > A
drop prepare C > A
hold accept C > ABC
two: C puts 2 if absent
wait for accept C > B
kill B
start B
release accept A > BC
one -> applied, was nothing
release accept C > ABC
two -> condition failed, is 1
B reads                     -> 1
