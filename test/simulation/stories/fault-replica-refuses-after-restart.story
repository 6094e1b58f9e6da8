# Replica restarts: it refuses what it may have promised before, and goes on above that.
# B has promised C's ballot when it is killed. A's lower one must not be accepted by it after that.
nodes A B C
breaks volatile-promises -> invariant

hold accept A > BC
one: A puts 1
wait for accept A > B
hold accept C > ABC
two: C puts 2
wait for accept C > B
kill B
start B
release accept A > BC
wait 5 ms
B has accepted nothing
release accept C > ABC
one -> applied
two -> applied
