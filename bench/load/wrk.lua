-- Prints one line of JSON after wrk's own report: exact figures instead of rounded ones. With a number
-- after the URL each request is a POST with a body of so many bytes. The request is made once:
-- nothing of Lua runs per request.
function init(arguments)
  if arguments[1] then
    wrk.method = 'POST'
    wrk.body = string.rep('u', tonumber(arguments[1]))
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nJSON {"requests": %d, "microseconds": %d, ' ..
    '"p50": %.1f, "p99": %.1f, "p999": %.1f, ' ..
    '"connect_errors": %d, "read_errors": %d, "write_errors": %d, "timeouts": %d, "refused": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), e.connect, e.read, e.write, e.timeout, e.status))
end
