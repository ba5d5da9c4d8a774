"""What it means that a value stands on a list. The lists are the publisher's; the meaning is ours to decide."""

from __future__ import annotations

EVERYBODYS = frozenset(
    {
        "akamai",
        "apple",
        "automated-malware-analysis",
        "captive-portals",
        "cisco_top10k",
        "cloudflare",
        "cloudflare-top10k",
        "common-contact-emails",
        "common-ioc-false-positive",
        "crl-hostname",
        "crl-ip",
        "disposable-email",
        "eicar.com",
        "empty-hashes",
        "everyday-names",
        "fastly",
        "google",
        "googlebot",
        "ipv6-linklocal",
        "link-in-bio",
        "lots-project",
        "microsoft",
        "microsoft-office365",
        "microsoft-office365-ip",
        "microsoft-win10-connection-endpoints",
        "moz-top500",
        "multicast",
        "not-global",
        "parking-domain",
        "public-dns-v4",
        "public-dns-v6",
        "public-ipfs-gateways",
        "rfc1918",
        "rfc3849",
        "rfc5735",
        "rfc6598",
        "rfc6761",
        "security-provider-blogpost",
        "sinkholes",
        "stackpath",
        "telegram-ips",
        "tranco10k",
        "umbrella-blockpage-hostname",
        "umbrella-blockpage-v4",
        "url-shortener",
        "whats-my-ip",
        "wikimedia",
    }
)
"""The very value is met everywhere: resolvers, top sites, private ranges, empty files, sinkholes, CDN edges, vendors.

Dynamic DNS is not among them: its 35,000 names are mostly small domains that their owners lend out, and one of them
in two reports is telling.
"""

HOSTING = frozenset(
    {"dynamic-dns", "link-in-bio", "lots-project", "public-ipfs-gateways", "url-shortener", "disposable-email"}
)
"""Services that rent names and pages to anybody: the service is no evidence, a name, page or mailbox under it is."""

WHOLE_SITES = frozenset(
    {
        "automated-malware-analysis",
        "captive-portals",
        "crl-hostname",
        "microsoft-win10-connection-endpoints",
        "security-provider-blogpost",
        "umbrella-blockpage-hostname",
        "whats-my-ip",
    }
)
"""Sites nobody rents from: no page of theirs is evidence either. A page on any other popular site still is."""

OWNERS = frozenset({"google", "microsoft", "microsoft-office365", *WHOLE_SITES})
"""Lists whose entries speak for every name below them. On the lists of popular sites only the very name counts
(with or without `www.`): a hijacked host of a popular site is evidence."""

INFORMATIVE = frozenset({"bank-website", "github", "university_domains"})
"""Worth showing, no verdict: a bank may be the bait, a university the hacked host, and GitHub's ranges are rented clouds."""
LEFT_OUT = frozenset({"tlds", "second-level-tlds"})
"""The public suffix list tells the same better."""
