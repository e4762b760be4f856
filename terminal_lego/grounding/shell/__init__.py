"""Shell text, and what a reply types, as simple commands; nothing is run and no file is looked at.

Deliberately out of reach: aliases, and what functions, sourced files and scripts do when they are called;
the values of variables, globs and substitutions; history expansion (`!!`) and line editing (Tab, C-r, arrows,
a line dropped by C-c); which branch of an `if` runs and how often a loop does; extended globs and `coproc`;
a `case` pattern's lone `)` within `$(...)`, and `$((` that opens a subshell; substitutions nested more than
eight deep; shells reached through another machine or container (`ssh`, `docker exec`, `chroot`) or through
options that split strings (`env -S`); and syntax of other shells than bash.
"""
