# Counterexample 11: an attempt that its own operation has left behind must not come up later.
# There is no one-phase write here, and nothing to break: a retry has a higher ballot than all earlier attempts.
nodes A B C

drop accept A > BC
put: A puts 1
wait for accepted A > A
drop prepare C > A
C puts 7 if 9               -> condition failed, is nothing
hold promise A > A
release accept A > BC
put -> applied, was nothing
A has accepted nothing
cut A
B puts 2                    -> applied, was 1
heal
cut C
A reads                     -> 2
