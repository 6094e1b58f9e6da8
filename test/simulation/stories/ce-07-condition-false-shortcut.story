# Counterexample 7: whoever has sent an accept may say "condition false" only after a round that proves it.
# A saw B's 0, which nobody else did, and put its 1 beside it. Later A finds the settled 5; its 1 must not come up again.
nodes A B C
limit suspectAfterMs 1000
breaks condition-false-shortcut -> not-linearizable

C puts 5                    -> applied
drop accept B > BC
zero: B puts 0
wait for accepted A > B
kill B
zero -> no answer
start B
drop accept A > BC
put: A puts 1 if 0
wait for accepted A > A
drop prepare C > A
C puts 7 if 9               -> condition failed, is 5
hold promise A > A
release accept A > BC
put -> condition failed, is 5
heal
cut A C
A reads                     -> 5
