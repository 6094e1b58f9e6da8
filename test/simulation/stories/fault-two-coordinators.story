# Two coordinators on one key: they refuse each other, pause, and both end.
# B prepares before A's 1 is accepted, and A prepares again before B's 2 is; each finds out what became of its own.
nodes A B C
breaks no-lineage -> not-linearizable

hold accept A > BC
one: A puts 1 if absent
wait for accepted A > A
drop prepare B > A
hold accept B > AC
two: B puts 2 if absent
wait for accepted B > B
release accept A > BC
one -> condition failed, is 2
release accept B > AC
two -> applied, was nothing
three: A puts 3
four: B puts 4
three -> applied
four -> applied
