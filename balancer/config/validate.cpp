// SPDX-License-Identifier: MIT
#include "balancer/config/validate.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/own_descriptor.hpp"
#include "balancer/config/units/slot_text.hpp"
#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <map>
#include <string>

namespace usher {

namespace {

class Validator {
public:
    explicit Validator(std::string_view origin) : origin_{origin} {}

    void check(const PoolConfig& pool, const std::string& pointer)
    {
        use(pools_, pool.name, pointer, "is named " + quote(pool.name),
            "give each pool its own \"name\"");
        if (pool.command.empty())
            refuse(pointer, "has no \"command\"; add one, e.g. \"command\": [\"./my-server\"]");
        if (pool.listen.empty() && needs_listen(pool.dialect))
            refuse(pointer, "has no \"listen\"; add one, e.g. \"listen\": [\"8000\"]");
        for (std::size_t i = 0; i < pool.listen.size(); ++i)
            check(pool.listen[i], fmt::format("{}/listen/{}", pointer, i));
        check_dialect(pool, pointer + "/");
        check_file(pool.output.file, pointer + "/output/file");
        check_file(pool.output.errors, pointer + "/output/errors");
        check_store(pool, pointer + "/store");
    }

private:
    [[noreturn]] void refuse(const std::string& pointer, std::string_view problem) const
    {
        throw ConfigError{origin_, pointer, problem};
    }

    void check_file(const std::string& file, const std::string& pointer)
    {
        // What usher was started with is never renamed, so that any number may write to it.
        if (file.empty() || own_descriptor(file))
            return;
        const auto use_as = [&](const std::string& path) {
            use(outputs_, path, pointer, "writes to " + quote(path), "give each pool its own file");
        };
        if (!has_slot(file))
            return use_as(fill_slot(file, 0));
        for (auto slot = workers_range.least; slot <= workers_range.most; ++slot)
            use_as(fill_slot(file, static_cast<unsigned>(slot)));
    }

    /// Pools that share have one store, and no two stores have one file.
    void check_store(const PoolConfig& pool, const std::string& pointer)
    {
        const auto& share = pool.bus.share;
        if (!share.empty()) {
            const auto [first, is_new] = shared_.emplace(share, Shared{pool.store, pointer});
            if (!is_new && first->second.store != pool.store)
                refuse(pointer,
                       fmt::format("differs from {}, whose pool has the same bus.share, {}; "
                                   "pools that share have one store",
                                   first->second.pointer, quote(share)));
            if (!is_new)
                return;
        }
        if (!pool.store.persist.empty())
            use(stores_, pool.store.persist, pointer + "/persist",
                "names " + quote(pool.store.persist), "give each store its own file");
    }

    /// Refuses what somebody uses already.
    template <typename Thing>
    void use(std::map<Thing, std::string>& used, const Thing& thing, const std::string& pointer,
             const std::string& problem, std::string_view remedy)
    {
        const auto [first, is_new] = used.emplace(thing, pointer);
        if (!is_new)
            refuse(pointer, fmt::format("{} like {}; {}", problem, first->second, remedy));
    }

    /// Keys that would have no effect are refused rather than ignored.
    void check_dialect(const PoolConfig& pool, const std::string& pointer) const
    {
        const auto dialect = pool.dialect;
        if (pool.share && dialect != Dialect::listen_fds)
            refuse(pointer + "share", "is for dialect \"listen-fds\" alone; remove it");
        if (pool.start_delay && dialect != Dialect::listen_fds && dialect != Dialect::none)
            refuse(pointer + "start_delay",
                   "is for dialects \"listen-fds\" and \"none\" alone; remove it");
        if (dialect == Dialect::none)
            check_none(pool, pointer);
        if (dialect == Dialect::native && pool.ready == Readiness::notify)
            refuse(pointer + "ready",
                   "cannot be \"notify\" for dialect \"native\", whose workers say themselves when "
                   "they are ready; remove it");
        if (pool.start_delay && pool.ready == Readiness::notify)
            refuse(pointer + "start_delay",
                   "has no effect with \"ready\": \"notify\"; remove one of them");

        std::string accept_themselves;
        if (dialect == Dialect::listen_fds)
            accept_themselves = "dialect \"listen-fds\"";
        else if (dialect == Dialect::node && (pool.node.policy == NodeConfig::Policy::none ||
                                              pool.node.policy == NodeConfig::Policy::reuseport))
            accept_themselves =
                fmt::format("node policy \"{}\"", name_of(node_policy_names, pool.node.policy));
        if (pool.probe && !accept_themselves.empty())
            refuse(pointer + "probe",
                   fmt::format("cannot be had with {}, because the workers accept themselves; "
                               "remove it",
                               accept_themselves));
        if (pool.recycle.max_connections > 0 && !accept_themselves.empty())
            refuse(pointer + "max_connections",
                   fmt::format("cannot be counted with {}, because the workers accept themselves; "
                               "use max_age or max_memory",
                               accept_themselves));
    }

    /// What has to do with connections.  A value that is the default may come from a dump.
    void check_none(const PoolConfig& pool, const std::string& pointer) const
    {
        const PoolConfig defaults;
        const auto refuse_if = [&](bool is_there, const char* key, std::string_view remedy = {}) {
            if (is_there)
                refuse(pointer + key, fmt::format("has no effect with dialect \"none\", whose "
                                                  "workers have no connections; remove it{}",
                                                  remedy));
        };
        refuse_if(!pool.listen.empty(), "listen", ", or choose another dialect");
        refuse_if(pool.backlog != defaults.backlog, "backlog");
        refuse_if(pool.max_queue != defaults.max_queue, "max_queue");
        refuse_if(pool.move_after != defaults.move_after, "move_after");
        refuse_if(pool.probe.has_value(), "probe", ", or use \"ready\": \"notify\"");
        refuse_if(pool.recycle.max_connections > 0, "max_connections",
                  ", or use max_age or max_memory");
        refuse_if(pool.node != defaults.node, "node");
        const auto delay = pool.start_delay.value_or(PoolConfig::default_start_delay);
        if (pool.ready == Readiness::automatic && delay >= pool.start_timeout)
            refuse(pointer + "start_timeout",
                   fmt::format("is {}, but must be longer than start_delay, {}, after which a "
                               "worker of dialect \"none\" is ready",
                               format_duration(pool.start_timeout), format_duration(delay)));
    }

    void check(const ListenConfig& listen, const std::string& pointer)
    {
        if (const auto address = parse_listen_address(listen.address); is_exclusive(address))
            use(addresses_, address, pointer, "listens on " + quote(listen.address),
                "remove one of them");
        if (!listen.name.empty())
            use(names_, listen.name, pointer, "is called " + quote(listen.name),
                "choose another name");
    }

    std::string_view origin_;
    // The pointers of those that were seen first.
    std::map<std::string, std::string> pools_;
    std::map<ListenAddress, std::string> addresses_;
    std::map<std::string, std::string> names_;
    std::map<std::string, std::string> outputs_;
    std::map<std::string, std::string> stores_;

    /// The store of the first pool that shares.
    struct Shared {
        StoreConfig store;
        std::string pointer;
    };
    std::map<std::string, Shared> shared_;
};

} // namespace

void validate(const Config& config, std::string_view origin)
{
    Validator validator{origin};
    for (std::size_t i = 0; i < config.pools.size(); ++i)
        validator.check(config.pools[i], fmt::format("/pools/{}", i));
}

} // namespace usher
