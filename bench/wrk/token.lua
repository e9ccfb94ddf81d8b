-- Bearer tokens, taking turns:  wrk -t2 -c64 -d10s --latency -s bench/wrk/token.lua https://127.0.0.1:8443/ TOKENS
-- TOKENS is a file with one JWT per line. One is what a client sends again and again, and its signature is
-- verified once per worker; many measure the verifying: at most so many requests as there are tokens are the first
-- of theirs.
local rotate = dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'rotate.lua')

function init(arguments)
  local tokens = rotate.lines(arguments[1])
  for i, token in ipairs(tokens) do tokens[i] = 'Bearer ' .. token end
  rotate.over('authorization', tokens)
end
