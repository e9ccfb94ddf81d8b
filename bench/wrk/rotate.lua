-- For the scripts beside this one: requests that take turns, and a report that says what went wrong.
-- wrk runs setup() and done() once, init() and request() in each thread.
local rotate = {}

-- The lines of a file, without empty ones and comments: one key or token each.
function rotate.lines(path)
  local found = {}
  if not path then error('a file is needed after the URL: one key or token per line', 0) end
  for line in assert(io.open(path)):lines() do
    local word = line:match('^%s*(%S+)%s*$')
    if word and word:sub(1, 1) ~= '#' then found[#found + 1] = word end
  end
  if #found == 0 then error(path .. ' has no line', 0) end
  return found
end

-- One request for each value of a header, made once: what runs per request is an index. Threads begin at
-- different places.
function rotate.over(header, values)
  local requests = {}
  for i, value in ipairs(values) do
    wrk.headers[header] = value
    requests[i] = wrk.format()
  end
  local at = (tonumber(number) or 0) * 7919
  request = function()
    at = at + 1
    return requests[at % #requests + 1]
  end
end

local threads = 0
function setup(thread)
  thread:set('number', threads)
  threads = threads + 1
end

-- Errors are cheap: a run that has some measures something else.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('  %.0f requests/s; us: p50 %.0f, p90 %.0f, p99 %.0f, p99.9 %.0f, most %.0f\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency:percentile(99.9), latency.max))
  if e.status > 0 then
    io.write(string.format('  WARNING: %d of %d answers were not 2xx or 3xx: wrong key, or a limit (401, 429)?\n',
      e.status, summary.requests))
  end
  if e.connect + e.read + e.write + e.timeout > 0 then
    io.write(string.format('  WARNING: %d connects failed, %d reads, %d writes, %d requests timed out\n',
      e.connect, e.read, e.write, e.timeout))
  end
end

return rotate
