-- Prints one line of JSON after wrk's own report: exact figures instead of rounded ones. Only `done`
-- is defined, so that nothing of Lua runs per request.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nJSON {"requests": %d, "microseconds": %d, ' ..
    '"p50": %.1f, "p99": %.1f, "p999": %.1f, "errors": %d, "refused": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), e.connect + e.read + e.write + e.timeout, e.status))
end
