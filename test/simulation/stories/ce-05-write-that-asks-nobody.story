# Counterexample 5: a write derives from what a majority holds now, not from what its coordinator saw last.
# There is no fast path to break: each write prepares. Broken is what that is for: that promises tell what is there.
nodes A B C
breaks promises-tell-nothing -> not-linearizable

C puts 1                    -> applied, was nothing
cut C
B puts 2 if 1               -> applied, was 1
A reads                     -> 2
heal
C puts 3 if 1               -> condition failed, is 2
C puts 4 if 2               -> applied, was 2
A reads                     -> 4
