-- API keys, taking turns:  wrk -t2 -c64 -d10s --latency -s bench/wrk/key.lua https://127.0.0.1:8443/ KEYS
-- KEYS is a file with one key per line, as `ringward key new NAME` shows it. A second word after the URL is another
-- header than x-api-key.
local rotate = dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'rotate.lua')

function init(arguments)
  rotate.over(arguments[2] or 'x-api-key', rotate.lines(arguments[1]))
end
