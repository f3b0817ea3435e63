-- Prints the result of a wrk run as one line of JSON; it costs nothing while wrk runs.
function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format(
        'wrk_report {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, '
            .. '"errors": {"status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}}\n',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50.0), latency:percentile(99.0),
        e.status, e.connect, e.read, e.write, e.timeout))
end
