// SPDX-License-Identifier: MIT
#include "balancer/config/accounts.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"
#include "common/sys/process/account.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <charconv>
#include <set>
#include <string>
#include <system_error>
#include <type_traits>

#include <linux/capability.h>
#include <unistd.h>

namespace usher {

namespace {

/// The number that `text` is; nothing for a name.
std::optional<id_t> to_id(std::string_view text)
{
    id_t id = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, id);
    if (error != std::errc{} || rest != end || id > largest_account_id)
        return std::nullopt;
    return id;
}

/// Says what is wrong with one pool.
class PoolAccounts {
public:
    PoolAccounts(RunAsConfig& run_as, std::string_view origin, std::string pointer)
        : run_as_{run_as}, origin_{origin}, pointer_{std::move(pointer)}
    {
    }

    void resolve()
    {
        run_as_.ids = {};
        auto& ids = run_as_.ids;
        if (!run_as_.group.empty())
            ids.group = group_id(run_as_.group, "/group");
        if (!run_as_.user.empty())
            resolve_user();
        if (run_as_.groups) {
            ids.groups.emplace();
            for (std::size_t i = 0; i < run_as_.groups->size(); ++i)
                ids.groups->push_back(group_id((*run_as_.groups)[i], fmt::format("/groups/{}", i)));
        }
    }

    void require_privileges()
    {
        auto& ids = run_as_.ids;
        const bool is_own_user = !ids.user || *ids.user == ::geteuid();
        if (!is_own_user && !sys::has_capability(CAP_SETUID))
            refuse_change("/user", run_as_.user, "CAP_SETUID");
        if (sys::has_capability(CAP_SETGID))
            return;

        if (ids.group && *ids.group != ::getegid())
            run_as_.group.empty() ? refuse_change("/user", run_as_.user, "CAP_SETGID")
                                  : refuse_change("/group", run_as_.group, "CAP_SETGID");
        // Without the privilege setgroups(2) refuses even the groups that are there already.
        const auto own = sys::own_groups();
        const bool are_own = ids.groups && std::set(ids.groups->begin(), ids.groups->end()) ==
                                               std::set(own.begin(), own.end());
        if ((run_as_.groups || !is_own_user) && !are_own)
            fail(run_as_.groups ? "/groups" : "/user",
                 "needs other groups than usher has, and only root can change those; start usher "
                 "as root or remove it");
        ids.groups.reset();
    }

private:
    void resolve_user()
    {
        auto& ids = run_as_.ids;
        const auto number = to_id(run_as_.user);
        const auto user = look_up("/user", [&] {
            return number ? sys::find_user(*number) : sys::find_user(run_as_.user);
        });
        if (!user && !number)
            fail("/user", fmt::format("there is no user {} on this system; create it, or name "
                                      "another",
                                      quote(run_as_.user)));
        if (!user && !ids.group)
            fail("/user", fmt::format("no user has the number {}, so that its group is unknown; "
                                      "add \"group\"",
                                      *number));

        ids.user = user ? user->id : *number;
        if (!ids.group)
            ids.group = user->group;
        ids.groups = user ? sys::groups_of(user->name, *ids.group) : std::vector{*ids.group};
    }

    [[nodiscard]] gid_t group_id(const std::string& text, const std::string& key) const
    {
        if (const auto number = to_id(text))
            return *number;
        const auto id = look_up(key, [&] { return sys::find_group(text); });
        if (!id)
            fail(key, fmt::format("there is no group {} on this system; create it, or name another",
                                  quote(text)));
        return *id;
    }

    template <typename Search>
    [[nodiscard]] std::invoke_result_t<Search> look_up(const std::string& key, Search search) const
    {
        try {
            return search();
        } catch (const std::system_error& error) {
            fail(key, fmt::format("cannot be looked up: {}", error.what()));
        }
    }

    [[noreturn]] void refuse_change(const std::string& key, const std::string& name,
                                    std::string_view capability) const
    {
        fail(key, fmt::format("is {}, but usher runs as user {} without the right to change that "
                              "({}); start it as root or remove it",
                              quote(name), ::geteuid(), capability));
    }

    [[noreturn]] void fail(const std::string& key, std::string_view problem) const
    {
        throw ConfigError{origin_, pointer_ + key, problem};
    }

    RunAsConfig& run_as_;
    std::string_view origin_;
    std::string pointer_;
};

} // namespace

void resolve_accounts(Config& config, std::string_view origin)
{
    for (std::size_t i = 0; i < config.pools.size(); ++i)
        PoolAccounts{config.pools[i].run_as, origin, fmt::format("/pools/{}", i)}.resolve();
}

void require_privileges(Config& config, std::string_view origin)
{
    for (std::size_t i = 0; i < config.pools.size(); ++i)
        PoolAccounts{config.pools[i].run_as, origin, fmt::format("/pools/{}", i)}
            .require_privileges();
}

} // namespace usher
