// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace usher::test {

/// A configuration file that a test can change.
class ConfigFile {
public:
    ConfigFile() : path_{folder_.path() / "usher.json"}
    {
        pool = {{"command", {demo_program()}},
                {"workers", 2},
                {"listen", "127.0.0.1:0"},
                {"restart", {{"first_delay", "50ms"}}}};
        write();
    }

    /// Writes `top`, with `pool` and then `more_pools` as its pools.
    void write() const
    {
        auto pools = nlohmann::json::array({pool});
        pools.insert(pools.end(), more_pools.begin(), more_pools.end());
        for (auto& each : pools)
            if (each.value("dialect", "") != "none" && !each.contains("move_after"))
                each["move_after"] = "0s"; // tests want to know who answers, however busy all are
        auto json = top;
        json["pools"] = std::move(pools);
        write_text(json.dump());
    }
    void write_text(std::string_view text) const { std::ofstream{path_} << text; }

    [[nodiscard]] std::vector<std::string> run() const { return {"run", "--config", path_}; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string in_folder(std::string_view name) const
    {
        return folder_.path() / name;
    }

    nlohmann::json top = nlohmann::json::object();
    nlohmann::json pool;
    nlohmann::json more_pools = nlohmann::json::array();

private:
    TempDir folder_;
    std::string path_;
};

} // namespace usher::test
