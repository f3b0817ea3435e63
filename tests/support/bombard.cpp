// SPDX-License-Identifier: MIT
#include "tests/support/bombard.hpp"

#include "tests/support/shell.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::test {

void bombard(std::uint16_t port, int requests, int clients)
{
    const auto count = std::to_string(requests);
    // Answers may differ in length, as a worker's number does.
    const auto report =
        output_of("ulimit -n 4096 && ab -q -l -n " + count + " -c " + std::to_string(clients) +
                  " http://127.0.0.1:" + std::to_string(port) + "/ 2>&1");
    CAPTURE(report);
    CHECK(report.find("Complete requests:      " + count + "\n") != std::string::npos);
    CHECK(report.find("Failed requests:        0\n") != std::string::npos);
    CHECK(report.find("Non-2xx responses") == std::string::npos);
}

void bombard_redis(std::uint16_t port, int requests, int clients)
{
    const auto report = output_of("redis-benchmark -h 127.0.0.1 -p " + std::to_string(port) +
                                  " -n " + std::to_string(requests) + " -c " +
                                  std::to_string(clients) + " -k 0 -t ping_mbulk --csv 2>&1");
    CAPTURE(report);
    CHECK(report.find("\"PING_MBULK\",") != std::string::npos);
    CHECK(report.find("rror") == std::string::npos);
}

} // namespace usher::test
