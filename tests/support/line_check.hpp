// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/chatter.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <istream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher::test {

/// Checks that each chatty worker's lines are there once and in order.
class LineCheck {
public:
    /// `line` as it is in the file, prefix included.
    void see(const std::string& line)
    {
        std::istringstream in{line};
        std::string prefix;
        pid_t pid = 0;
        long number = 0;
        std::string end;
        if (!(in >> prefix >> pid >> number >> end) || end != ".") {
            ++torn_[pid]; // a SIGKILL within a write() leaves half a line: the last
            return;
        }
        if (torn_.contains(pid) || number != last_[pid] + 1)
            wrong_.push_back(line);
        last_[pid] = number;
        ++lines_;
    }

    void see_file(const std::string& path)
    {
        std::ifstream in{path};
        for (std::string line; std::getline(in, line);)
            see(line);
    }

    /// Those of a log that begin with `prefix`.
    void see_those_with(const std::string& prefix, const std::string& log)
    {
        std::istringstream in{log};
        for (std::string line; std::getline(in, line);)
            if (line.starts_with(prefix))
                see(line);
    }

    /// All that `chatter` knows to be written has been seen.
    void check_all(const Chatter& chatter)
    {
        CHECK(wrong_ == std::vector<std::string>{});
        for (const auto& entry : chatter.written()) {
            const auto& pid = entry.first;
            const auto& count = entry.second;
            CAPTURE(pid);
            CHECK(last_[pid] >= count);
        }
    }

    [[nodiscard]] long lines() const { return lines_; }

private:
    std::map<pid_t, long> last_;
    std::map<pid_t, int> torn_;
    std::vector<std::string> wrong_;
    long lines_ = 0;
};

} // namespace usher::test
