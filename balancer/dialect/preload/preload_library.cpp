// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preload_library.hpp"

#include <fmt/core.h>

#include <array>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <unistd.h>

namespace usher {

namespace fs = std::filesystem;

std::string find_preload_library()
{
    std::error_code error;
    const auto own_folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    const std::array places{own_folder.parent_path() / "worker/preload" / USHER_PRELOAD_NAME,
                            fs::path{USHER_PRELOAD_FOLDER} / USHER_PRELOAD_NAME};
    for (const auto& place : places) {
        if (::access(place.c_str(), R_OK) < 0)
            continue;
        // ld.so(8) splits LD_PRELOAD at both, and knows no way to quote them.
        if (place.native().find_first_of(" :") != std::string::npos)
            throw std::runtime_error{fmt::format("{} cannot be preloaded from a folder with a "
                                                 "blank or colon in its name; install usher "
                                                 "elsewhere",
                                                 place.native())};
        return place;
    }
    throw std::runtime_error{fmt::format(
        "dialect preload needs {}, which is neither in {} nor in {}; install usher "
        "completely, or build it",
        USHER_PRELOAD_NAME, places[0].parent_path().native(), places[1].parent_path().native())};
}

} // namespace usher
