"""The filters in the stock binary. One line each; the last part of a label is the filter's id."""

STOCK_FILTERS = [
    "//source/filters/connection_limit",
    "//source/filters/direct_response",
    "//source/filters/echo",
    "//source/filters/hbone",
    "//source/filters/hbone_server",
    "//source/filters/http_connection_manager",
    "//source/filters/local_ratelimit",
    "//source/filters/mesh_inbound",
    "//source/filters/mesh_rbac",
    "//source/filters/original_dst",
    "//source/filters/original_src",
    "//source/filters/proxy_protocol",
    "//source/filters/rbac",
    "//source/filters/set_filter_state",
    "//source/filters/sni_cluster",
    "//source/filters/socks5",
    "//source/filters/tcp_proxy",
    "//source/filters/tls_inspector",
]
