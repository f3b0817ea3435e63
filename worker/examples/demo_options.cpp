// SPDX-License-Identifier: MIT
#include "demo_options.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace demo {

Options parse_options(int argc, char** argv)
{
    Options options;
    unsigned start_delay = 0;

    CLI::App app{"A worker for demonstrations and tests: it does what the request asks."};
    app.add_option("--listen", options.listen.fallback, "without usher: listen on this address");
    app.add_flag("--reuse-port", options.listen.reuse_port, "without usher: share the port");
    app.add_option("--start-delay", start_delay, "milliseconds from start to ready");
    app.add_flag("--never-ready", options.never_ready, "never say ready");
    app.add_option("--health-after", options.health_after,
                   "answer /health with 503 this many times first");
    app.add_option("--crash-after", options.crash_after, "abort after this many requests");
    app.add_flag("--ignore-term", options.ignore_term, "ignore SIGTERM");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        std::exit(app.exit(e));
    }

    options.start_delay = std::chrono::milliseconds{start_delay};
    return options;
}

} // namespace demo
