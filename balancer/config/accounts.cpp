// SPDX-License-Identifier: MIT
#include "balancer/config/accounts.hpp"

#include "balancer/config/env_file.hpp"
#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/slot_text.hpp"
#include "common/sys/process/account.hpp"
#include "common/sys/process/cpus.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

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

/// What is wrong with the value of one key of a pool.
struct AccountError {
    std::string key;
    std::string problem;
};

template <typename Search>
std::invoke_result_t<Search> look_up(const std::string& key, Search search)
{
    try {
        return search();
    } catch (const std::system_error& error) {
        throw AccountError{key, fmt::format("cannot be looked up: {}", error.what())};
    }
}

AccountError unknown(const std::string& key, std::string_view what, const std::string& name)
{
    return {key, fmt::format("there is no {} {} on this system; create it, or name another", what,
                             quote(name))};
}

gid_t group_id(const std::string& text, const std::string& key)
{
    if (const auto number = to_id(text))
        return *number;
    const auto id = look_up(key, [&] { return sys::find_group(text); });
    if (!id)
        throw unknown(key, "group", text);
    return *id;
}

/// As a login sets them; a shell that lets nobody in is of no use to a program that starts one.
std::map<std::string, std::string> login_variables(const sys::User& user)
{
    std::map<std::string, std::string> result{{"LOGNAME", user.name}, {"USER", user.name}};
    if (!user.home.empty())
        result["HOME"] = user.home;
    if (!user.shell.empty() && !user.shell.ends_with("/nologin") && !user.shell.ends_with("/false"))
        result["SHELL"] = user.shell;
    return result;
}

void resolve_user(const std::string& name, AccountIds& ids)
{
    const auto number = to_id(name);
    const auto user =
        look_up("/user", [&] { return number ? sys::find_user(*number) : sys::find_user(name); });
    if (!user && !number)
        throw unknown("/user", "user", name);
    if (!user && !ids.group)
        throw AccountError{"/user", fmt::format("no user has the number {}, so that its group is "
                                                "unknown; add \"group\"",
                                                *number)};
    ids.user = user ? user->id : *number;
    if (!ids.group)
        ids.group = user->group;
    if (user)
        ids.variables = login_variables(*user);
    ids.groups = user ? sys::groups_of(user->name, *ids.group) : std::vector{*ids.group};
}

/// The user `text` is, who need not be known by a number.
uid_t user_id(const std::string& text, const std::string& key)
{
    if (const auto number = to_id(text))
        return *number;
    const auto user = look_up(key, [&] { return sys::find_user(text); });
    if (!user)
        throw unknown(key, "user", text);
    return user->id;
}

/// What `run_as` names.  May wait for the network, and throws AccountError.
AccountIds look_up(const RunAsConfig& run_as)
{
    AccountIds ids;
    if (!run_as.group.empty())
        ids.group = group_id(run_as.group, "/group");
    if (!run_as.user.empty())
        resolve_user(run_as.user, ids);
    if (run_as.groups) {
        ids.groups.emplace();
        for (std::size_t i = 0; i < run_as.groups->size(); ++i)
            ids.groups->push_back(group_id((*run_as.groups)[i], fmt::format("/groups/{}", i)));
    }
    return ids;
}

AccountError not_allowed(const std::string& key, const std::string& name,
                         std::string_view capability)
{
    return {key, fmt::format("is {}, but usher runs as user {} without the right to change that "
                             "({}); start it as root or remove it",
                             quote(name), ::geteuid(), capability)};
}

/// Leaves out of `ids` what this process is already.  Throws AccountError if it may not become the
/// rest.
void require_permission(const RunAsConfig& run_as, AccountIds& ids)
{
    const bool is_own_user = !ids.is_other_user();
    if (!is_own_user && !sys::has_capability(CAP_SETUID))
        throw not_allowed("/user", run_as.user, "CAP_SETUID");
    if (sys::has_capability(CAP_SETGID))
        return;

    if (ids.group && *ids.group != ::getegid())
        throw run_as.group.empty() ? not_allowed("/user", run_as.user, "CAP_SETGID")
                                   : not_allowed("/group", run_as.group, "CAP_SETGID");
    // Without the privilege setgroups(2) refuses even the groups that are there already.
    const auto own = sys::own_groups();
    const bool are_own = ids.groups && std::set(ids.groups->begin(), ids.groups->end()) ==
                                           std::set(own.begin(), own.end());
    if ((run_as.groups || !is_own_user) && !are_own)
        throw AccountError{run_as.groups ? "/groups" : "/user",
                           "needs other groups than usher has, and only root can change those; "
                           "start usher as root or remove it"};
    ids.groups.reset();
}

/// Whose the files of Unix sockets shall be.  Throws AccountError, also if this process may not
/// give them away and is to do so.
void find_owners(std::vector<ListenConfig>& listeners, bool to_run)
{
    const auto own = sys::own_groups();
    const bool may_give = !to_run || sys::has_capability(CAP_CHOWN);
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        auto& listen = listeners[i];
        auto& [user, group] = listen.file_owner;
        const auto key = fmt::format("/listen/{}", i);
        if (!listen.owner.empty())
            user = user_id(listen.owner, key + "/owner");
        if (!listen.group.empty())
            group = group_id(listen.group, key + "/group");
        if (user && !may_give && *user != ::geteuid())
            throw not_allowed(key + "/owner", listen.owner, "CAP_CHOWN");
        const bool is_own_group =
            group && (*group == ::getegid() || std::ranges::find(own, *group) != own.end());
        if (group && !may_give && !is_own_group)
            throw not_allowed(key + "/group", listen.group, "CAP_CHOWN");
    }
}

} // namespace

ResolvedConfig resolve_accounts(Config config, std::string_view origin, bool to_run,
                                const LaunchFolder& launched)
{
    ResolvedConfig resolved{.log_level = config.log_level,
                            .log_format = config.log_format,
                            .lame_duck = config.lame_duck};
    for (auto& pool : config.pools) {
        try {
            auto account = look_up(pool.run_as);
            if (to_run)
                require_permission(pool.run_as, account);
            find_owners(pool.listen, to_run);
            if (to_run && pool.workers == 0)
                pool.workers = sys::usable_cpus();
            ResolvedPool found{std::move(pool), std::move(account)};
            std::vector<std::string> files;
            for (const auto& file : found.env_files)
                files.push_back(launched.find(file));
            found.file_env = read_env_files(files);
            found.folder = launched.pin(found.cwd);
            if (!found.command.empty() && !has_slot(found.command.front()))
                found.program_folder = pin_program(fill_slot(found.command.front(), 0));
            resolved.pools.push_back(std::move(found));
        } catch (const AccountError& error) {
            throw ConfigError{origin, fmt::format("/pools/{}{}", resolved.pools.size(), error.key),
                              error.problem};
        }
    }
    return resolved;
}

} // namespace usher
