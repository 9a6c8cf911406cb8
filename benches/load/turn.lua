-- For wrk: the tokens of a file, one a line, in turn. Arguments: the file, and the number of the token to begin with.
-- The request has oha's headers.
local tokens, count, at = {}, 0, 0

function init(args)
  for token in io.lines(args[1]) do
    count = count + 1
    tokens[count] = token
  end
  at = tonumber(args[2]) % count
  local headers = "GET %s HTTP/1.1\r\naccept: */*\r\naccept-encoding: gzip, compress, deflate, br\r\nuser-agent: wrk\r\nhost: %s:%s\r\nauthorization: Bearer "
  head = headers:format(wrk.path, wrk.host, wrk.port)
end

function request()
  at = at % count + 1
  return head .. tokens[at] .. "\r\n\r\n"
end

function done(summary, latency, requests)
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  local line = 'JSON {"answers":%d,"seconds":%.6f,"p50":%.1f,"p99":%.1f,"refused":%d,"broken":%d}\n'
  io.write(line:format(summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), summary.errors.status, broken))
end
