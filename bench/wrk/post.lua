-- POST with a key:  wrk -t2 -c64 -d10s --latency -s bench/wrk/post.lua https://127.0.0.1:8443/v1/chat KEYS BYTES
-- A JSON body of so many bytes; 0 is none, as for POST /token, which mints.
local rotate = dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'rotate.lua')

function init(arguments)
  local size = tonumber(arguments[2] or '0')
  if not size or size < 0 then error('BYTES is a number', 0) end
  wrk.method = 'POST'
  if size > 0 then
    local frame = '{"prompt":""}'
    wrk.body = '{"prompt":"' .. string.rep('u', math.max(0, size - #frame)) .. '"}'
    wrk.headers['content-type'] = 'application/json'
  else
    wrk.headers['content-length'] = '0'
  end
  rotate.over('x-api-key', rotate.lines(arguments[1]))
end
