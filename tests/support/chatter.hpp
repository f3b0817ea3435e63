// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher::test {

/// What chatty workers wrote and what of it arrived.
class Chatter {
public:
    [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
    [[nodiscard]] std::string log() const { return (logs_.path() / "log").string(); }

    [[nodiscard]] nlohmann::json pool(unsigned workers, long lines_per_10_ms,
                                      const nlohmann::json& output, long most = 1'000'000) const
    {
        return {{"command",
                 {chatty_worker_program(), path().string(), std::to_string(lines_per_10_ms),
                  std::to_string(most)}},
                {"workers", workers},
                {"restart",
                 {{"first_delay", "10ms"}, {"longest_delay", "10ms"}, {"give_up_after", 10'000}}},
                {"output", output}};
    }

    /// The number of lines each process has certainly written.
    [[nodiscard]] std::map<pid_t, long> written() const
    {
        std::map<pid_t, long> result;
        for (const auto& entry : std::filesystem::directory_iterator{path()}) {
            std::ifstream in{entry.path()};
            in >> result[std::stoi(entry.path().filename())];
        }
        return result;
    }

    [[nodiscard]] long total() const
    {
        long sum = 0;
        for (const auto& [pid, count] : written())
            sum += count;
        return sum;
    }

    /// `log.N` ... `log.1`, `log`.
    [[nodiscard]] std::vector<std::string> files() const
    {
        std::vector<std::string> result{log()};
        for (int n = 1; std::filesystem::exists(log() + "." + std::to_string(n)); ++n)
            result.insert(result.begin(), log() + "." + std::to_string(n));
        return result;
    }

private:
    TempDir folder_;
    TempDir logs_;
};

} // namespace usher::test
