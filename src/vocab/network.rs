//! Names that the network operators take in place of numbers; case matters.
//!
//! Source: Tetragon 4fbfe2d, `pkg/reader/network` and `pkg/constants`; the numbers are Linux's.

use super::vocabulary;

vocabulary! {
    /// A value of `Protocol`. There is no name for ICMPv6 (58).
    "protocol" enum Protocol row ProtocolRow {
        number: u16,
    }
    Ip { name: "IPPROTO_IP", number: 0 }
    Icmp { name: "IPPROTO_ICMP", number: 1 }
    Igmp { name: "IPPROTO_IGMP", number: 2 }
    Ipip { name: "IPPROTO_IPIP", number: 4 }
    Tcp { name: "IPPROTO_TCP", number: 6 }
    Egp { name: "IPPROTO_EGP", number: 8 }
    Pup { name: "IPPROTO_PUP", number: 12 }
    Udp { name: "IPPROTO_UDP", number: 17 }
    Idp { name: "IPPROTO_IDP", number: 22 }
    Tp { name: "IPPROTO_TP", number: 29 }
    Dccp { name: "IPPROTO_DCCP", number: 33 }
    Ipv6 { name: "IPPROTO_IPV6", number: 41 }
    Rsvp { name: "IPPROTO_RSVP", number: 46 }
    Gre { name: "IPPROTO_GRE", number: 47 }
    Esp { name: "IPPROTO_ESP", number: 50 }
    Ah { name: "IPPROTO_AH", number: 51 }
    Mtp { name: "IPPROTO_MTP", number: 92 }
    Beetph { name: "IPPROTO_BEETPH", number: 94 }
    Encap { name: "IPPROTO_ENCAP", number: 98 }
    Pim { name: "IPPROTO_PIM", number: 103 }
    Comp { name: "IPPROTO_COMP", number: 108 }
    Sctp { name: "IPPROTO_SCTP", number: 132 }
    Udplite { name: "IPPROTO_UDPLITE", number: 136 }
    Mpls { name: "IPPROTO_MPLS", number: 137 }
    Ethernet { name: "IPPROTO_ETHERNET", number: 143 }
    Raw { name: "IPPROTO_RAW", number: 255 }
    Mptcp { name: "IPPROTO_MPTCP", number: 262 }
}

vocabulary! {
    /// A value of `Family`. There is no `AF_LOCAL`.
    "address family" enum Family row FamilyRow {
        number: u16,
    }
    Unspec { name: "AF_UNSPEC", number: 0 }
    Unix { name: "AF_UNIX", number: 1 }
    Inet { name: "AF_INET", number: 2 }
    Ax25 { name: "AF_AX25", number: 3 }
    Ipx { name: "AF_IPX", number: 4 }
    Appletalk { name: "AF_APPLETALK", number: 5 }
    Netrom { name: "AF_NETROM", number: 6 }
    Bridge { name: "AF_BRIDGE", number: 7 }
    Atmpvc { name: "AF_ATMPVC", number: 8 }
    X25 { name: "AF_X25", number: 9 }
    Inet6 { name: "AF_INET6", number: 10 }
    Rose { name: "AF_ROSE", number: 11 }
    Decnet { name: "AF_DECnet", number: 12 }
    Netbeui { name: "AF_NETBEUI", number: 13 }
    Security { name: "AF_SECURITY", number: 14 }
    Key { name: "AF_KEY", number: 15 }
    Netlink { name: "AF_NETLINK", number: 16 }
    Packet { name: "AF_PACKET", number: 17 }
    Ash { name: "AF_ASH", number: 18 }
    Econet { name: "AF_ECONET", number: 19 }
    Atmsvc { name: "AF_ATMSVC", number: 20 }
    Rds { name: "AF_RDS", number: 21 }
    Irda { name: "AF_IRDA", number: 23 }
    Pppox { name: "AF_PPPOX", number: 24 }
    Wanpipe { name: "AF_WANPIPE", number: 25 }
    Llc { name: "AF_LLC", number: 26 }
    Ib { name: "AF_IB", number: 27 }
    Mpls { name: "AF_MPLS", number: 28 }
    Can { name: "AF_CAN", number: 29 }
    Tipc { name: "AF_TIPC", number: 30 }
    Bluetooth { name: "AF_BLUETOOTH", number: 31 }
    Iucv { name: "AF_IUCV", number: 32 }
    Rxrpc { name: "AF_RXRPC", number: 33 }
    Isdn { name: "AF_ISDN", number: 34 }
    Phonet { name: "AF_PHONET", number: 35 }
    Ieee802154 { name: "AF_IEEE802154", number: 36 }
    Caif { name: "AF_CAIF", number: 37 }
    Alg { name: "AF_ALG", number: 38 }
    Nfc { name: "AF_NFC", number: 39 }
    Vsock { name: "AF_VSOCK", number: 40 }
    Kcm { name: "AF_KCM", number: 41 }
    Qipcrtr { name: "AF_QIPCRTR", number: 42 }
    Smc { name: "AF_SMC", number: 43 }
    Xdp { name: "AF_XDP", number: 44 }
    Mctp { name: "AF_MCTP", number: 45 }
}

vocabulary! {
    /// A value of `State`.
    "socket state" enum State row StateRow {
        number: u16,
    }
    Established { name: "TCP_ESTABLISHED", number: 1 }
    SynSent { name: "TCP_SYN_SENT", number: 2 }
    SynRecv { name: "TCP_SYN_RECV", number: 3 }
    FinWait1 { name: "TCP_FIN_WAIT1", number: 4 }
    FinWait2 { name: "TCP_FIN_WAIT2", number: 5 }
    TimeWait { name: "TCP_TIME_WAIT", number: 6 }
    Close { name: "TCP_CLOSE", number: 7 }
    CloseWait { name: "TCP_CLOSE_WAIT", number: 8 }
    LastAck { name: "TCP_LAST_ACK", number: 9 }
    Listen { name: "TCP_LISTEN", number: 10 }
    Closing { name: "TCP_CLOSING", number: 11 }
    NewSynRecv { name: "TCP_NEW_SYN_RECV", number: 12 }
}
