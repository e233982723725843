import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Problem } from "./api/problem";
import { useSession } from "./api/session";
import { SignIn, SignInAgain } from "./pages/SignIn";
import { router } from "./router";
import { Notices } from "./ui/announce";
import "./styles/index.css";

const queries = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 2_000,
            // What a later attempt cannot change is not tried again.
            retry: (count, failure) => count < 2 && (!(failure instanceof Problem) || failure.status === 0 || failure.status === 503),
            retryDelay: (count) => 500 * 2 ** count,
        },
    },
});

function Console() {
    const session = useSession();
    if (!session) return <SignIn />;
    return (
        <QueryClientProvider client={queries} key={session.id}>
            <RouterProvider router={router} />
            <SignInAgain session={session} />
        </QueryClientProvider>
    );
}

const root = document.getElementById("root");
if (root) {
    createRoot(root).render(
        <StrictMode>
            <Console />
            <Notices />
        </StrictMode>,
    );
}
