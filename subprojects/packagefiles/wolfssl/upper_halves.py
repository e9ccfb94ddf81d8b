"""Mends how some of wolfSSL's assembly treats the upper halves of the vector registers.

Copies one .S file. Functions that use ymm registers and never say vzeroupper get one before each
return: what they leave behind makes the SHA-NI code that runs next ten times slower (a handshake
with a P-256 key share cost 380 us instead of 105). And `movd` in them becomes its VEX form, which
clears the rest of the register: fe_cmov_table_avx2 reads that rest, so that X25519 and Ed25519 keys
came out wrong after a P-256 signature on the same thread.
"""
import re
import sys


def mend(function):
    if not any("%ymm" in line for line in function):
        return function
    clean = any("vzeroupper" in line for line in function)
    out = []
    for line in function:
        if not clean and re.fullmatch(r"\s+(repz\s+)?retq?\s*", line):
            out.append("        vzeroupper")
        moved = re.fullmatch(r"(\s+)movd(\s+%(\w+), %xmm\d+\s*)", line)
        if moved:
            wide = re.fullmatch(r"r\w\w|r\d", moved[3]) and not moved[3].endswith("d")
            line = f"{moved[1]}{'vmovq' if wide else 'vmovd'}{moved[2]}"
        out.append(line)
    return out


source, target = sys.argv[1:]
with open(source, encoding="ascii") as file:
    lines = file.read().split("\n")
starts = [i for i, line in enumerate(lines) if re.fullmatch(r"[a-z]\w*:", line)]
mended = lines[:starts[0]]
for begin, end in zip(starts, starts[1:] + [len(lines)]):
    mended += mend(lines[begin:end])
with open(target, "w", encoding="ascii") as file:
    file.write("\n".join(mended))
