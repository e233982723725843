/** What the provider's window shows if the browser does not close it. */
export const SignedIn = () => (
    <main className="sign-in">
        <h1>Landlord</h1>
        <p role="status">Go on in the window of the console. This one can be closed.</p>
    </main>
);
