import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { RETURN_PATH } from "./api/codeRequest";
import { isTemporary } from "./api/problem";
import { passOn } from "./api/provider";
import { keepSessions } from "./api/refresh";
import { onSessionChange, session, useSession } from "./api/session";
import { SignIn, SignInAgain } from "./pages/SignIn";
import { SignedIn } from "./pages/SignedIn";
import { router } from "./router";
import { Notices } from "./ui/announce";
import "./styles/index.css";

const queries = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 2_000,
            // What a later attempt cannot change is not tried again.
            retry: (count, failure) => count < 2 && isTemporary(failure),
            retryDelay: (count) => 500 * 2 ** count,
        },
    },
});

// What one super-admin has read is not for the next one at this browser, nor in the memory after signing out.
let reader: string | undefined;
onSessionChange(() => {
    const id = session()?.id;
    if (id === reader) return;
    reader = id;
    void queries.cancelQueries();
    queries.clear();
});

keepSessions();

// The identity provider's window comes back to this address.
const isReply = location.pathname === RETURN_PATH;
if (isReply) passOn();

function Console() {
    const current = useSession();
    if (!current) return <SignIn />;
    return (
        <QueryClientProvider client={queries} key={current.id}>
            <RouterProvider router={router} />
            <SignInAgain session={current} />
        </QueryClientProvider>
    );
}

const root = document.getElementById("root");
if (root) {
    createRoot(root).render(
        <StrictMode>
            {isReply ? <SignedIn /> : <Console />}
            <Notices />
        </StrictMode>,
    );
}
